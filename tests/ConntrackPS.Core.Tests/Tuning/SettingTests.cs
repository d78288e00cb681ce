using ConntrackPS.Linux;
using ConntrackPS.Tests.Infrastructure;
using ConntrackPS.Tuning.Settings;

namespace ConntrackPS.Tests.Tuning;

public sealed class SettingTests(NetworkNamespaceFixture ns) : IClassFixture<NetworkNamespaceFixture>
{
    private readonly ConntrackSettings _settings = new(ns.Namespace);

    [Fact]
    public void Every_file_is_a_setting_a_timeout_or_the_count()
    {
        string[] files = ns.Exec("ls", "/proc/sys/net/netfilter").Split('\n', StringSplitOptions.RemoveEmptyEntries);
        IEnumerable<string> expected = files.Where(file => file.StartsWith("nf_conntrack_", StringComparison.Ordinal)
            && !file.EndsWith("_count", StringComparison.Ordinal) && (!file.Contains("timeout", StringComparison.Ordinal) || file.Contains("frag6", StringComparison.Ordinal)));
        Assert.Equal(expected.Order(), _settings.Read().Select(setting => setting.Sysctl["net.netfilter.".Length..]).Order());
        Assert.DoesNotContain(_settings.Read(), setting => setting.Description.Contains("Not known", StringComparison.Ordinal));
    }

    [Fact]
    public void A_new_namespace_has_the_defaults_that_we_know()
    {
        using NetworkNamespaceFixture fresh = new();
        Assert.All(
            new ConntrackSettings(fresh.Namespace).Read().Where(setting => setting.DefaultValue is not null),
            setting => Assert.Equal(setting.DefaultValue, setting.Value));
    }

    [Fact]
    public void What_all_namespaces_share_is_read_only_in_one_of_them()
    {
        Assert.Equal(["Maximum", "Buckets", "ExpectationMaximum"], _settings.Read().Where(setting => setting.IsWritable == false).Select(setting => setting.Name));
        ReadOnlySettingException exception = Assert.Throws<ReadOnlySettingException>(() => _settings.Set(_settings.Find("Maximum"), 300000));
        Assert.Contains($"nf_conntrack_max is read-only in network namespace '{ns.Name}'", exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Accounting", "true", true)]
    [InlineData("Events", "On", "On")]
    [InlineData("TcpMaxRetrans", "7", 7L)]
    [InlineData("LogInvalid", "tcp", "Tcp")]
    [InlineData("LogInvalid", "All", "All")]
    [InlineData("net.netfilter.nf_conntrack_timestamp", "1", true)]
    [InlineData("nf_conntrack_frag6_timeout", "61", 61L)]
    public void A_value_is_written_and_read_back(string name, string text, object value)
    {
        ConntrackSetting setting = _settings.Find(name);
        _settings.Set(setting, SettingValue.Parse(setting.Definition, text));
        Assert.Equal(value, _settings.Find(name).Value);
        Assert.Equal(_settings.Find(name).Number, long.Parse(ns.Exec("sysctl", "-n", setting.Sysctl), System.Globalization.CultureInfo.InvariantCulture));
    }

    [Theory]
    [InlineData("Accounting", "maybe", "true or false")]
    [InlineData("Accounting", "2", "true or false")]
    [InlineData("Events", "3", "Off, On or Auto")]
    [InlineData("Events", "-1", "Off, On or Auto")]
    [InlineData("TcpMaxRetrans", "256", "0 to 255")]
    [InlineData("TcpMaxRetrans", "many", "0 to 255")]
    [InlineData("LogInvalid", "256", "None, All")]
    [InlineData("LogInvalid", "tcpp", "None, All")]
    [InlineData("Maximum", "0", "1 to 2147483647")]
    [InlineData("Maximum", "99999999999999999999", "1 to 2147483647")]
    public void A_value_out_of_range_is_an_error_that_names_the_range(string name, string text, string range) => Assert.Contains(
        range, Assert.Throws<ValueRangeException>(() => SettingValue.Parse(_settings.Find(name).Definition, text)).Message, StringComparison.Ordinal);

    [Fact]
    public void An_unknown_name_is_an_error_that_lists_the_settings() =>
        Assert.Contains("Maximum, Buckets", Assert.Throws<UnknownSettingException>(() => _settings.Find("maximim")).Message, StringComparison.Ordinal);

    [Fact]
    public void A_setting_of_a_newer_kernel_passes_through()
    {
        SettingDefinition definition = SettingDefinition.Unknown("nf_conntrack_brand_new");
        Assert.Equal("BrandNew", definition.Name);
        Assert.Equal(-5, SettingValue.Parse(definition, "-5"));
    }
}
