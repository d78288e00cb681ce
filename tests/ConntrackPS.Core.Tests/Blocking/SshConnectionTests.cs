using ConntrackPS.Blocking;

namespace ConntrackPS.Tests.Blocking;

public sealed class SshConnectionTests
{
    [Theory]
    [InlineData("192.0.2.1 50022 198.51.100.7 22", null, "192.0.2.1 50022 198.51.100.7 22")]
    [InlineData("2001:db8::1 50022 2001:db8::2 2222", null, "2001:db8::1 50022 2001:db8::2 2222")]
    [InlineData("fe80::1%eth0 50022 fe80::2%eth0 22", null, "fe80::1 50022 fe80::2 22")]
    [InlineData("::ffff:192.0.2.50 50022 ::ffff:198.51.100.7 22", null, "192.0.2.50 50022 198.51.100.7 22")]
    [InlineData("::ffff:192.0.2.50 50022 198.51.100.7 22", null, "192.0.2.50 50022 198.51.100.7 22")]
    [InlineData("192.0.2.50 50022 ::FFFF:c633:6407 22", null, "192.0.2.50 50022 198.51.100.7 22")]
    [InlineData("::ffff:192.0.2.50%eth0 50022 ::ffff:198.51.100.7%eth0 22", null, "192.0.2.50 50022 198.51.100.7 22")]
    [InlineData(null, "::ffff:192.0.2.50 50022 22", "192.0.2.50 50022  22")]
    [InlineData("::192.0.2.50 50022 64:ff9b::198.51.100.7 22", null, "::192.0.2.50 50022 64:ff9b::c633:6407 22")]
    [InlineData(null, "192.0.2.1 50022 22", "192.0.2.1 50022  22")]
    [InlineData("192.0.2.1 50022 198.51.100.7 22", "192.0.2.9 1 22", "192.0.2.1 50022 198.51.100.7 22")]
    public void Variables_of_sshd_are_understood(string? connection, string? client, string expected)
    {
        SshConnection? found = Parse(connection, client);
        Assert.Equal(expected, $"{found?.Client} {found?.ClientPort} {found?.Server} {found?.ServerPort}");
    }

    [Theory]
    [InlineData(null, null)]
    [InlineData("", "")]
    [InlineData("UNKNOWN 65535 UNKNOWN 65535", null)]
    [InlineData("192.0.2.1 x 198.51.100.7 22", null)]
    [InlineData(null, "192.0.2.1")]
    public void Anything_else_is_none(string? connection, string? client) => Assert.Null(Parse(connection, client));

    private static SshConnection? Parse(string? connection, string? client) =>
        SshConnection.Parse(name => name == "SSH_CONNECTION" ? connection : client);
}
