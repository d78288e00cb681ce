using System.Buffers.Binary;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;
using System.Text.RegularExpressions;
using ConntrackPS.Blocking;
using ConntrackPS.Blocking.Rules;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Conntrack.Filtering;

/// <summary>The table of tuple properties is complete, and no other code has their names.</summary>
public sealed class TuplePropertyTests
{
    private const byte Call = 0x28, CallVirtual = 0x6f;

    /// <summary>The properties that packets of new flows do not contain. With these, a block drops only existing flows.</summary>
    private static readonly string[] NotShown =
    [
        nameof(ConntrackFilter.State), nameof(ConntrackFilter.Status), nameof(ConntrackFilter.ExcludeStatus), nameof(ConntrackFilter.Unreplied),
        nameof(ConntrackFilter.Mark), nameof(ConntrackFilter.Label), nameof(ConntrackFilter.Helper), nameof(ConntrackFilter.SecurityContext),
        nameof(ConntrackFilter.MinimumBytes), nameof(ConntrackFilter.MinimumPackets), nameof(ConntrackFilter.TimeoutBelow),
        nameof(ConntrackFilter.TimeoutAbove), nameof(ConntrackFilter.OlderThan), nameof(ConntrackFilter.Id), nameof(ConntrackFilter.Exclude),
    ];

    /// <summary>The properties that a block refuses.</summary>
    private static readonly string[] Refused = [nameof(ConntrackFilter.Zone), nameof(ConntrackFilter.OriginalZone), nameof(ConntrackFilter.ReplyZone)];

    private static readonly string[] NotConditions = [nameof(ConntrackFilter.IsEmpty), nameof(ConntrackFilter.NamesEntries), nameof(ConntrackFilter.Contradiction)];

    private static readonly string[] Names = [.. TupleProperties.All.Select(property => property.Name)];

    [Fact]
    public void The_table_has_every_address_port_and_number_of_a_tuple_once()
    {
        Type[] types = [typeof(IReadOnlyList<AddressPrefix>), typeof(IReadOnlyList<PortRange>), typeof(IReadOnlyList<byte>), typeof(IReadOnlyList<ushort>)];
        IEnumerable<string> ofTuples = typeof(ConntrackFilter).GetProperties()
            .Where(property => types.Contains(property.PropertyType) && !Refused.Contains(property.Name))
            .Select(property => property.Name);
        Assert.Equal(ofTuples.Order(), Names.Order());
    }

    /// <summary>Each row reads, sets and clears the property of its own name, and no other.</summary>
    [Fact]
    public void Each_row_is_about_the_property_of_its_name()
    {
        foreach (TupleProperty property in TupleProperties.All)
        {
            object values = property switch
            {
                AddressProperty => new[] { AddressPrefix.Parse("192.0.2.1") },
                PortProperty => new[] { new PortRange(80) },
                _ => new long[] { 8 },
            };
            ConntrackFilter asked = property.Ask(new ConntrackFilter(), values);
            Assert.Equal([property.Name], AskedOf(asked));
            Assert.Equal(property.Name, Assert.Single(asked.Terms).Property);
            Assert.Equal([property], TupleProperties.All.Where(other => other.IsAsked(asked)));
            Assert.Empty(AskedOf(property.Without(asked)));
            Assert.Throws<InvalidCastException>(() => property.Ask(asked, TimeSpan.Zero));
        }

        static IEnumerable<string> AskedOf(ConntrackFilter filter) => TypesOf(filter).Where(pair => pair.Count > 0).Select(pair => pair.Name);

        static IEnumerable<(string Name, int Count)> TypesOf(ConntrackFilter filter) =>
            from property in typeof(ConntrackFilter).GetProperties()
            where Names.Contains(property.Name)
            select (property.Name, ((System.Collections.IEnumerable)property.GetValue(filter)!).Cast<object>().Count());
    }

    /// <summary>With a property that the rules do not support, a block silently drops only existing flows.</summary>
    [Fact]
    public void Rules_know_every_property_that_new_flows_show()
    {
        string[] properties = [.. typeof(ConntrackFilter).GetProperties().Select(property => property.Name).Except(NotConditions)];
        Assert.Equal(properties.Except(NotShown).Except(Refused).Order(), properties.Where(RuleAlternatives.Know).Order());
        foreach (TupleProperty property in TupleProperties.All)
        {
            object values = property switch
            {
                AddressProperty => new[] { AddressPrefix.Parse("192.0.2.1") },
                PortProperty => new[] { new PortRange(80) },
                _ => new long[] { 8 },
            };
            Assert.True(BlockTarget.Of(property.Ask(new ConntrackFilter(), values)).CoversNewFlows, property.Name);
        }
    }

    [Fact]
    public void Each_property_has_a_parameter_of_its_name()
    {
        using PEReader file = new(File.OpenRead(Repository.Built("ConntrackPS")));
        MetadataReader metadata = file.GetMetadataReader();
        TypeDefinition command = metadata.TypeDefinitions.Select(metadata.GetTypeDefinition)
            .Single(type => metadata.GetString(type.Name) == "SelectionCommand");
        IEnumerable<string> parameters = command.GetProperties().Select(handle => metadata.GetString(metadata.GetPropertyDefinition(handle).Name));
        Assert.Empty(Names.Except(parameters));
        Assert.Empty(TupleProperties.All.Select(property => property.ExcludeName).Except(parameters));
    }

    /// <summary>Ensures that a new property is complete: in the compiled code, only the table reads and sets these properties.</summary>
    [Theory]
    [InlineData("ConntrackPS.Core", true)]
    [InlineData("ConntrackPS", false)]
    public void Nothing_but_the_table_reads_or_sets_the_properties(string assembly, bool hasTable)
    {
        string[] users = [.. UsersOf(Repository.Built(assembly)).Distinct().Order()];
        Assert.Equal(hasTable ? [nameof(TupleProperties)] : [], users.Except([nameof(ConntrackFilter)]));
    }

    [Fact]
    public void Nothing_but_the_table_names_the_properties()
    {
        Regex named = new($@"nameof\((ConntrackFilter|[a-z]*[fF]ilter)\.({string.Join('|', Names)})\)");
        string[] sources = [.. Repository.Sources("src").Where(source => named.IsMatch(source))];
        Assert.Contains("class TupleProperties", Assert.Single(sources), StringComparison.Ordinal);
    }

    /// <summary>The outermost types whose code calls an accessor of one of the properties.</summary>
    private static IEnumerable<string> UsersOf(string path)
    {
        using PEReader file = new(File.OpenRead(path));
        MetadataReader metadata = file.GetMetadataReader();
        HashSet<int> accessors = [.. AccessorsIn(metadata)];
        foreach (TypeDefinition type in metadata.TypeDefinitions.Select(metadata.GetTypeDefinition))
        {
            foreach (MethodDefinition method in type.GetMethods().Select(metadata.GetMethodDefinition).Where(method => method.RelativeVirtualAddress != 0))
            {
                byte[] code = file.GetMethodBody(method.RelativeVirtualAddress).GetILBytes()!;
                for (int i = 0; i + 4 < code.Length; i++)
                {
                    if (code[i] is Call or CallVirtual && accessors.Contains(BinaryPrimitives.ReadInt32LittleEndian(code.AsSpan(i + 1))))
                        yield return Outermost(metadata, type);
                }
            }
        }
    }

    private static IEnumerable<int> AccessorsIn(MetadataReader metadata)
    {
        IEnumerable<int> own =
            from type in metadata.TypeDefinitions.Select(metadata.GetTypeDefinition)
            where metadata.GetString(type.Name) == nameof(ConntrackFilter)
            from method in type.GetMethods()
            where IsAccessor(metadata.GetString(metadata.GetMethodDefinition(method).Name))
            select MetadataTokens.GetToken(method);
        IEnumerable<int> others =
            from handle in metadata.MemberReferences
            let member = metadata.GetMemberReference(handle)
            where member.Parent.Kind == HandleKind.TypeReference
                && metadata.GetString(metadata.GetTypeReference((TypeReferenceHandle)member.Parent).Name) == nameof(ConntrackFilter)
                && IsAccessor(metadata.GetString(member.Name))
            select MetadataTokens.GetToken(handle);
        return own.Concat(others);
    }

    private static bool IsAccessor(string method) =>
        (method.StartsWith("get_", StringComparison.Ordinal) || method.StartsWith("set_", StringComparison.Ordinal)) && Names.Contains(method[4..]);

    private static string Outermost(MetadataReader metadata, TypeDefinition type)
    {
        while (type.GetDeclaringType() is { IsNil: false } outer)
            type = metadata.GetTypeDefinition(outer);
        return metadata.GetString(type.Name);
    }
}
