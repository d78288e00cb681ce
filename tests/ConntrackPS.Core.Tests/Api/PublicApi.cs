using System.Reflection;
using System.Text;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace ConntrackPS.Tests.Api;

/// <summary>What an assembly offers to others, as declarations of C#, in an order that does not depend on its source.</summary>
internal static class PublicApi
{
    private static readonly SymbolDisplayFormat TypeFormat = new(
        typeQualificationStyle: SymbolDisplayTypeQualificationStyle.NameAndContainingTypes,
        genericsOptions: SymbolDisplayGenericsOptions.IncludeTypeParameters | SymbolDisplayGenericsOptions.IncludeTypeConstraints,
        kindOptions: SymbolDisplayKindOptions.IncludeTypeKeyword,
        delegateStyle: SymbolDisplayDelegateStyle.NameAndSignature,
        parameterOptions: SymbolDisplayParameterOptions.IncludeType | SymbolDisplayParameterOptions.IncludeName,
        miscellaneousOptions: SymbolDisplayMiscellaneousOptions.UseSpecialTypes
            | SymbolDisplayMiscellaneousOptions.IncludeNullableReferenceTypeModifier);

    private static readonly SymbolDisplayFormat MemberFormat = TypeFormat
        .WithKindOptions(SymbolDisplayKindOptions.None)
        .WithMemberOptions(SymbolDisplayMemberOptions.IncludeAccessibility | SymbolDisplayMemberOptions.IncludeModifiers
            | SymbolDisplayMemberOptions.IncludeType | SymbolDisplayMemberOptions.IncludeParameters
            | SymbolDisplayMemberOptions.IncludeConstantValue | SymbolDisplayMemberOptions.IncludeRef)
        .WithParameterOptions(SymbolDisplayParameterOptions.IncludeType | SymbolDisplayParameterOptions.IncludeName
            | SymbolDisplayParameterOptions.IncludeParamsRefOut | SymbolDisplayParameterOptions.IncludeDefaultValue)
        .WithPropertyStyle();

    /// <summary>Describes one assembly.</summary>
    public static string Describe(string path)
    {
        PortableExecutableReference assembly = MetadataReference.CreateFromFile(path);
        string platform = Path.GetDirectoryName(typeof(object).Assembly.Location)!;
        IEnumerable<MetadataReference> references = Directory.EnumerateFiles(platform, "System*.dll")
            .Concat(Directory.EnumerateFiles(Path.GetDirectoryName(path)!, "*.dll"))
            .Where(file => file != path && IsManaged(file))
            .Select(file => MetadataReference.CreateFromFile(file));
        CSharpCompilation compilation = CSharpCompilation.Create("reader", references: [assembly, .. references]);
        IAssemblySymbol symbol = (IAssemblySymbol)compilation.GetAssemblyOrModuleSymbol(assembly)!;

        StringBuilder text = new();
        foreach (IGrouping<string, INamedTypeSymbol> space in TypesBelow(symbol.GlobalNamespace)
            .GroupBy(type => type.ContainingNamespace.ToDisplayString()).OrderBy(space => space.Key, StringComparer.Ordinal))
        {
            text.Append($"namespace {space.Key}\n");
            foreach (INamedTypeSymbol type in space.OrderBy(type => type.ToDisplayString(), StringComparer.Ordinal))
                AppendType(text, type);
            text.Append('\n');
        }

        return text.ToString();
    }

    private static void AppendType(StringBuilder text, INamedTypeSymbol type)
    {
        text.Append($"    {Modifiers(type)}{type.ToDisplayString(TypeFormat)}{Bases(type)}\n");
        if (type.TypeKind == TypeKind.Delegate)
            return;
        foreach (ISymbol member in type.GetMembers().Where(IsOffered)
            .OrderBy(ValueOf).ThenBy(member => member.Name, StringComparer.Ordinal).ThenBy(Declare, StringComparer.Ordinal))
            text.Append($"        {Declare(member)}\n");
    }

    // Enumerations read best in the order of their numbers.
    private static decimal ValueOf(ISymbol member) =>
        member is IFieldSymbol { ContainingType.TypeKind: TypeKind.Enum, ConstantValue: { } value } ? Convert.ToDecimal(value, null) : 0;

    private static string Declare(ISymbol member)
    {
        string declaration = member.ToDisplayString(MemberFormat);
        return member.GetAttributes().Any(attribute => attribute.AttributeClass?.Name == nameof(ObsoleteAttribute))
            ? $"[Obsolete] {declaration}"
            : declaration;
    }

    private static string Modifiers(INamedTypeSymbol type) => type switch
    {
        { TypeKind: not TypeKind.Class } => "",
        { IsStatic: true } => "static ",
        { IsAbstract: true } => "abstract ",
        { IsSealed: true } => "sealed ",
        _ => "",
    };

    private static string Bases(INamedTypeSymbol type)
    {
        if (type.TypeKind is TypeKind.Enum)
            return $" : {type.EnumUnderlyingType!.ToDisplayString(MemberFormat)}";
        IEnumerable<INamedTypeSymbol> bases = type.TypeKind is TypeKind.Class && type.BaseType is { SpecialType: not SpecialType.System_Object } parent
            ? [parent, .. type.Interfaces]
            : type.Interfaces;
        string names = string.Join(", ", bases.Select(parent => parent.ToDisplayString(MemberFormat)));
        return names.Length == 0 || type.TypeKind is TypeKind.Delegate ? "" : $" : {names}";
    }

    private static IEnumerable<INamedTypeSymbol> TypesBelow(INamespaceOrTypeSymbol scope)
    {
        foreach (INamespaceOrTypeSymbol member in scope.GetMembers().OfType<INamespaceOrTypeSymbol>())
        {
            if (member is INamedTypeSymbol type && IsOffered(type))
                yield return type;
            if (member is INamespaceSymbol || IsOffered(member))
            {
                foreach (INamedTypeSymbol below in TypesBelow(member))
                    yield return below;
            }
        }
    }

    // Accessors are told of by their property; what records get by themselves follows from their being records, and structs and
    // enumerations have a constructor without parameters anyway.
    private static bool IsOffered(ISymbol symbol) =>
        symbol.DeclaredAccessibility is Accessibility.Public or Accessibility.Protected or Accessibility.ProtectedOrInternal
        && symbol is not IMethodSymbol { AssociatedSymbol: not null }
            and not IMethodSymbol { MethodKind: MethodKind.Constructor, Parameters.Length: 0, ContainingType.IsValueType: true }
        && !symbol.GetAttributes().Any(attribute => attribute.AttributeClass?.Name == "CompilerGeneratedAttribute");

    private static SymbolDisplayFormat WithPropertyStyle(this SymbolDisplayFormat format) => new(
        format.GlobalNamespaceStyle, format.TypeQualificationStyle, format.GenericsOptions, format.MemberOptions, format.DelegateStyle,
        format.ExtensionMethodStyle, format.ParameterOptions, SymbolDisplayPropertyStyle.ShowReadWriteDescriptor, format.LocalOptions,
        format.KindOptions, format.MiscellaneousOptions);

    private static bool IsManaged(string file)
    {
        try
        {
            AssemblyName.GetAssemblyName(file);
            return true;
        }
        catch (BadImageFormatException)
        {
            return false;
        }
    }
}
