using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Netlink;

namespace ConntrackPS.Expectations.Wire;

/// <summary>Fills an expectation from a message. Attributes unknown here are skipped; truncated ones and
/// malformed lengths are errors.</summary>
internal static class ExpectationDecoder
{
    /// <exception cref="NetlinkProtocolException">The message is malformed.</exception>
    public static ConntrackExpectation Decode(NetlinkMessage message)
    {
        ConntrackExpectation expectation = new();
        Decode(message, expectation);
        return expectation;
    }

    public static void Decode(NetlinkMessage message, ConntrackExpectation expectation)
    {
        AttributeReader attributes = message.Attributes;
        while (attributes.Read())
        {
            switch ((ExpectationAttribute)attributes.Type)
            {
                case ExpectationAttribute.Tuple:
                    expectation.Expected = TupleCodec.Read(attributes.Nested, out _);
                    break;
                case ExpectationAttribute.Mask:
                    expectation.Mask = TupleCodec.Read(attributes.Nested, out _);
                    break;
                case ExpectationAttribute.Master:
                    expectation.Master = TupleCodec.Read(attributes.Nested, out _);
                    break;
                case ExpectationAttribute.Nat:
                    ReadNat(attributes.Nested, expectation);
                    break;
                case ExpectationAttribute.Timeout:
                    expectation.TimeoutSeconds = attributes.UInt32;
                    break;
                case ExpectationAttribute.Id:
                    expectation.Id = attributes.UInt32;
                    break;
                case ExpectationAttribute.HelpName:
                    expectation.Helper = attributes.Text;
                    break;
                case ExpectationAttribute.Zone:
                    expectation.Zone = attributes.UInt16;
                    break;
                case ExpectationAttribute.Flags:
                    expectation.Flags = (ExpectationFlags)attributes.UInt32;
                    break;
                case ExpectationAttribute.Class:
                    expectation.Class = attributes.UInt32;
                    break;
                case ExpectationAttribute.Fn:
                    expectation.Function = attributes.Text;
                    break;
            }
        }
    }

    private static void ReadNat(AttributeReader attributes, ConntrackExpectation expectation)
    {
        while (attributes.Read())
        {
            switch ((ExpectationNatAttribute)attributes.Type)
            {
                case ExpectationNatAttribute.Dir:
                    expectation.NatDirection = (TupleDirection)attributes.UInt32;
                    break;
                case ExpectationNatAttribute.Tuple:
                    expectation.Nat = TupleCodec.Read(attributes.Nested, out _);
                    break;
            }
        }
    }
}
