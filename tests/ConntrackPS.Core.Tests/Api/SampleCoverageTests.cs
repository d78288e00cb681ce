using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Text.RegularExpressions;
using ConntrackPS.Conntrack;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Api;

/// <summary>Every public type has an example: samples/CoreSample uses each of them through the public API only. A type that it does not use
/// need not be public.</summary>
public partial class SampleCoverageTests
{
    private static readonly Assembly Core = typeof(ConntrackEntry).Assembly;

    /// <summary>Public only for PowerShell, which needs the types of parameters and of output objects.</summary>
    private static readonly Dictionary<string, string> Exempt = new()
    {
        ["ConntrackPS.Blocking.ConntrackBlock"] = "what Get-ConntrackBlock emits",
        ["ConntrackPS.Diagnosis.ConntrackStatRate"] = "what Get-ConntrackStat -Interval emits",
        ["ConntrackPS.Top.Snapshots.TopColumn"] = "of parameters of Show-ConntrackTop",
        ["ConntrackPS.Top.Snapshots.TopGrouping"] = "of parameters of Show-ConntrackTop",
        ["ConntrackPS.Top.Snapshots.TopPage"] = "of a parameter of Show-ConntrackTop",
    };

    [Fact]
    public void Every_public_type_has_an_example()
    {
        HashSet<Type> covered = WithProperties(UsedBy(Assembly.LoadFrom(Repository.Built("core-sample"))));
        Assert.Contains(typeof(ConntrackEntry), covered);
        Assert.Equal(
            Exempt.Keys.Order(StringComparer.Ordinal),
            Core.GetExportedTypes().Where(type => !covered.Contains(type)).Select(type => type.FullName!).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void The_code_of_the_README_is_the_samples()
    {
        string samples = Squeeze(string.Join('\n', Directory.EnumerateFiles(Path.Combine(Repository.Root, "samples/CoreSample"), "*.cs").Select(File.ReadAllText)));
        string readme = File.ReadAllText(Path.Combine(Repository.Root, "src/ConntrackPS.Core/README.md"));

        // The first block is a complete program, which the package tests compile and run.
        List<string> blocks = [.. Block().Matches(readme).Skip(1).Select(match => match.Groups[1].Value)];
        Assert.True(blocks.Count >= 4);
        Assert.All(blocks, block => Assert.Contains(Squeeze(block), samples, StringComparison.Ordinal));
    }

    /// <summary>The types that an assembly refers to, and those in the signatures of the members that it calls.</summary>
    private static HashSet<Type> UsedBy(Assembly assembly)
    {
        HashSet<Type> used = [];
        unsafe
        {
            Assert.True(assembly.TryGetRawMetadata(out byte* metadata, out int length));
            MetadataReader reader = new(metadata, length);
            foreach (TypeReferenceHandle handle in reader.TypeReferences)
                Add(used, assembly.ManifestModule.ResolveType(MetadataTokens.GetToken(handle)));
            foreach (MemberReferenceHandle handle in reader.MemberReferences)
            {
                // The signature of a generic type's member has type parameters instead of types.
                MemberReference member = reader.GetMemberReference(handle);
                if (member.Parent.Kind == HandleKind.TypeReference)
                    AddSignature(used, assembly.ManifestModule.ResolveMember(MetadataTokens.GetToken(handle))!);
            }
        }

        return used;
    }

    private static void AddSignature(HashSet<Type> used, MemberInfo member)
    {
        if (member is MethodInfo method)
            Add(used, method.ReturnType);
        if (member is MethodBase called && called.DeclaringType!.Assembly == Core)
            Array.ForEach(called.GetParameters(), parameter => Add(used, parameter.ParameterType));
    }

    private static void Add(HashSet<Type> types, Type type)
    {
        if (type.HasElementType)
            Add(types, type.GetElementType()!);
        foreach (Type argument in type.IsGenericType ? type.GetGenericArguments() : [])
            Add(types, argument);
        for (Type? one = type; one is not null; one = one.BaseType)
        {
            if (one.Assembly == Core)
                types.Add(one);
        }
    }

    /// <summary>Adds the types of their public properties: results, and values of enumerations.</summary>
    private static HashSet<Type> WithProperties(HashSet<Type> used)
    {
        HashSet<Type> reached = [];
        for (Queue<Type> open = new(used); open.TryDequeue(out Type? type);)
        {
            if (!reached.Add(type))
                continue;
            HashSet<Type> next = [];
            foreach (PropertyInfo property in type.GetProperties())
                Add(next, property.PropertyType);
            foreach (Type one in next)
                open.Enqueue(one);
        }

        return reached;
    }

    /// <summary>Removes indentation, which differs where only some lines of a method are shown.</summary>
    private static string Squeeze(string code) => Indent().Replace(code.Trim(), "\n");

    [GeneratedRegex("(?s)```csharp\n(.*?)```")]
    private static partial Regex Block();

    [GeneratedRegex(@"\n\s*")]
    private static partial Regex Indent();
}
