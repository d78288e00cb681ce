#!/bin/bash
# Real servers and clients of FTP, TFTP and SIP on both sides of a NAT router, for tests of helpers.
#
#   helper-lab.sh up <folder> <inside> <router> <outside>   sets up three empty network namespaces, and starts the servers
#   helper-lab.sh ftp-active|ftp-passive|tftp|sip-udp|sip-tcp <folder> 4|6 [<port>]
#                                                           exchanges data; fails if the data connection does not come
#   helper-lab.sh down <folder>                             ends the servers
#
# The router masquerades the inside. Its public port of FTP leads to the server inside. New connections from outside pass only if
# they are translated so, or expected.
#   ftp-active    from inside to the server outside, which connects back (PORT, EPRT)
#   ftp-passive   from outside to the server inside (EPSV)
#   tftp          from inside to the server outside, which answers from another port
#   sip-udp, -tcp a call from inside to outside; the other side sends sound to the address of the call
set -eu

inside4=10.77.1.2 inside6=fd77:1::2
public4=198.51.100.1 public6=2001:db8:100::1
outside4=198.51.100.10 outside6=2001:db8:100::10
sound=/usr/share/sip-tester/dtmf_2833_1.pcap

task=$1
folder=$2

# A server that ends with "down", and after ten minutes in any case.
start() {
    local namespace=$1
    shift
    setsid timeout 600 ip netns exec "$namespace" "$@" >>"$folder/log" 2>&1 </dev/null &
    echo $! >>"$folder/pids"
}

wait_for() {
    local namespace=$1 kind=$2 port=$3
    for _ in {1..200}; do
        [ -n "$(ip netns exec "$namespace" ss -Hln"$kind" "sport = :$port")" ] && return
        sleep 0.05
    done
    echo "Nothing listens on port $port." >&2
    cat "$folder/log" >&2
    return 1
}

connect() {
    local name=$1 namespace=$2 router4=$3 router6=$4 host4=$5 host6=$6
    ip -n "$router" link add "$name" type veth peer name eth0 netns "$namespace"
    ip -n "$router" address add "$router4/24" dev "$name"
    ip -n "$router" address add "$router6/64" dev "$name" nodad
    ip -n "$router" link set "$name" up
    ip -n "$namespace" address add "$host4/24" dev eth0
    ip -n "$namespace" address add "$host6/64" dev eth0 nodad
    ip -n "$namespace" link set eth0 up
    ip -n "$namespace" link set lo up
}

# vsftpd serves IPv4 and IPv6 by one socket. Ports beside 21 lead to it.
start_ftp() {
    cat >"$folder/vsftpd.conf" <<END
listen=NO
listen_ipv6=YES
anonymous_enable=YES
no_anon_password=YES
anon_root=$folder/files
secure_chroot_dir=$folder/empty
connect_from_port_20=NO
seccomp_sandbox=NO
background=NO
END
    start "$1" vsftpd "$folder/vsftpd.conf"
    wait_for "$1" t 21
    ip netns exec "$1" nft 'add table inet ports; add chain inet ports prerouting { type nat hook prerouting priority -100; }; add rule inet ports prerouting tcp dport 2121 redirect to :21'
}

up() {
    inside=$1 router=$2 outside=$3
    printf 'inside=%s\nrouter=%s\noutside=%s\n' "$inside" "$router" "$outside" >"$folder/namespaces"
    connect in "$inside" 10.77.1.1 fd77:1::1 $inside4 $inside6
    connect out "$outside" $public4 $public6 $outside4 $outside6
    ip -n "$inside" route add default via 10.77.1.1
    ip -n "$inside" -6 route add default via fd77:1::1
    ip netns exec "$router" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.netfilter.nf_conntrack_acct=1
    ip netns exec "$router" nft "
        table inet lab {
            chain prerouting {
                type nat hook prerouting priority -100
                iifname out tcp dport { 21, 2121 } meta nfproto ipv4 dnat ip to $inside4
                iifname out tcp dport { 21, 2121 } meta nfproto ipv6 dnat ip6 to $inside6
            }
            chain postrouting {
                type nat hook postrouting priority 100
                oifname out masquerade
            }
            chain forward {
                type filter hook forward priority 0; policy drop
                ct state established,related accept
                iifname in accept
                ct status dnat accept
            }
        }"
    mkdir -p "$folder/files" "$folder/empty"
    chmod 755 "$folder" "$folder/files" "$folder/empty"
    head -c 20000 /dev/zero | tr '\0' x >"$folder/files/data"
    start_ftp "$inside"
    start_ftp "$outside"
    start "$outside" dnsmasq --keep-in-foreground --conf-file=/dev/null --pid-file --port=0 --enable-tftp --tftp-root="$folder/files" --user=root
    wait_for "$outside" u 69
    write_answer >"$folder/answer.xml"
    write_call >"$folder/call.xml"
}

# The scenarios of sipp. The called side sends sound to the address and the port that it read in the call.
write_answer() {
    cat <<END
<?xml version="1.0" encoding="UTF-8"?>
<scenario name="answer">
  <recv request="INVITE"></recv>
  <send retrans="500"><![CDATA[
      SIP/2.0 200 OK
      [last_Via:]
      [last_From:]
      [last_To:];tag=[pid]answer[call_number]
      [last_Call-ID:]
      [last_CSeq:]
      Contact: <sip:[local_ip]:[local_port];transport=[transport]>
      Content-Type: application/sdp
      Content-Length: [len]

      v=0
      o=answer 1 1 IN IP[media_ip_type] [media_ip]
      s=-
      c=IN IP[media_ip_type] [media_ip]
      t=0 0
      m=audio [media_port] RTP/AVP 0
      a=rtpmap:0 PCMU/8000
  ]]></send>
  <recv request="ACK"></recv>
  <nop><action><exec play_pcap_audio="$sound"/></action></nop>
  <recv request="BYE"></recv>
  <send><![CDATA[
      SIP/2.0 200 OK
      [last_Via:]
      [last_From:]
      [last_To:]
      [last_Call-ID:]
      [last_CSeq:]
      Content-Length: 0
  ]]></send>
</scenario>
END
}

write_call() {
    cat <<END
<?xml version="1.0" encoding="UTF-8"?>
<scenario name="call">
  <send retrans="500"><![CDATA[
      INVITE sip:answer@[remote_ip]:[remote_port] SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      From: <sip:caller@[local_ip]:[local_port]>;tag=[pid]call[call_number]
      To: <sip:answer@[remote_ip]:[remote_port]>
      Call-ID: [call_id]
      CSeq: 1 INVITE
      Contact: <sip:caller@[local_ip]:[local_port];transport=[transport]>
      Max-Forwards: 70
      Content-Type: application/sdp
      Content-Length: [len]

      v=0
      o=caller 1 1 IN IP[media_ip_type] [media_ip]
      s=-
      c=IN IP[media_ip_type] [media_ip]
      t=0 0
      m=audio [media_port] RTP/AVP 0
      a=rtpmap:0 PCMU/8000
  ]]></send>
  <recv response="100" optional="true"></recv>
  <recv response="200"></recv>
  <send><![CDATA[
      ACK sip:answer@[remote_ip]:[remote_port] SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      From: <sip:caller@[local_ip]:[local_port]>;tag=[pid]call[call_number]
      To: <sip:answer@[remote_ip]:[remote_port]>[peer_tag_param]
      Call-ID: [call_id]
      CSeq: 1 ACK
      Contact: <sip:caller@[local_ip]:[local_port];transport=[transport]>
      Max-Forwards: 70
      Content-Length: 0
  ]]></send>
  <pause milliseconds="1500"/>
  <send retrans="500"><![CDATA[
      BYE sip:answer@[remote_ip]:[remote_port] SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      From: <sip:caller@[local_ip]:[local_port]>;tag=[pid]call[call_number]
      To: <sip:answer@[remote_ip]:[remote_port]>[peer_tag_param]
      Call-ID: [call_id]
      CSeq: 2 BYE
      Max-Forwards: 70
      Content-Length: 0
  ]]></send>
  <recv response="200"></recv>
</scenario>
END
}

fetch() {
    local namespace=$1
    shift
    ip netns exec "$namespace" curl --globoff --silent --show-error --max-time 3 --output "$folder/fetched" "$@"
    cmp "$folder/fetched" "$folder/files/data"
}

# The call itself succeeds in any case; sound arrives only if the caller echoes it.
call() {
    local transport=$1 caller=$2 called=$3 port=$4 heard
    local kind=${transport:0:1}
    start "$outside" sipp -sf "$folder/answer.xml" -t "${kind}1" -i "$called" -p "$port" -mi "$called" -mp 7000 -m 1 -nostdin -timeout 20
    wait_for "$outside" "$([ "$kind" = u ] && echo u || echo t)" "$port"
    ip netns exec "$router" nft "table inet sound { }; delete table inet sound; table inet sound {
        chain forward {
            type filter hook forward priority 10
            udp sport 7000 udp dport 6000 iifname out counter
        }
    }"
    ip netns exec "$inside" sipp -sf "$folder/call.xml" -t "${kind}1" -i "$caller" -mi "$caller" -mp 6000 -rtp_echo -m 1 -nostdin -timeout 15 \
        "$([[ $called == *:* ]] && echo "[$called]" || echo "$called"):$port" >>"$folder/log" 2>&1 </dev/null || return 1
    heard=$(ip netns exec "$router" nft list table inet sound | sed -n 's/.*packets \([0-9]*\) .*/\1/p')
    ip netns exec "$router" nft delete table inet sound
    echo "$heard packets of sound"
    [ "$heard" -gt 0 ]
}

case $task in
    up)
        shift 2
        up "$@"
        exit
        ;;
    down)
        while read -r process; do
            kill -- "-$process" 2>/dev/null || true
        done <"$folder/pids"
        exit
        ;;
esac

. "$folder/namespaces"
case $3 in
    4) host=$outside4 url=$outside4 public=$public4 caller=$inside4 ;;
    6) host=$outside6 url=[$outside6] public=[$public6] caller=$inside6 ;;
esac
case $task in
    ftp-active) fetch "$inside" --ftp-port - "ftp://$url:${4:-21}/data" ;;
    ftp-passive) fetch "$outside" "ftp://$public:${4:-21}/data" ;;
    tftp) fetch "$inside" "tftp://$url:${4:-69}/data" ;;
    sip-udp) call udp "$caller" "$host" "${4:-5060}" ;;
    sip-tcp) call tcp "$caller" "$host" "${4:-5060}" ;;
esac
