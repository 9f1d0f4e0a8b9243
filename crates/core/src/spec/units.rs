//! Quantities with their units.

use std::fmt;
use std::num::{NonZeroU8, NonZeroU32, NonZeroU64};
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::spec::Invalid;

/// A number of zones: 1, 2 or 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ZoneCount(NonZeroU8);

impl ZoneCount {
    /// Checks the number.
    pub fn new(count: u64) -> Result<Self, Invalid> {
        u8::try_from(count)
            .ok()
            .filter(|count| *count <= 3)
            .and_then(NonZeroU8::new)
            .map(Self)
            .ok_or_else(|| Invalid::new(format!("{count} zones are not possible"), "1, 2 or 3"))
    }

    /// The number.
    pub fn get(self) -> u8 {
        self.0.get()
    }
}

/// Virtual CPUs of one machine: 1 to 1024.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Cpu(NonZeroU32);

impl Cpu {
    /// Checks the number.
    pub fn new(count: u64) -> Result<Self, Invalid> {
        u32::try_from(count).ok().filter(|count| *count <= 1024).and_then(NonZeroU32::new).map(Self).ok_or_else(|| {
            Invalid::new(format!("{count} virtual CPUs are not possible"), "a whole number from 1 to 1024")
        })
    }

    /// The number of virtual CPUs.
    pub fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for Cpu {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)
    }
}

const MEBIBYTES_PER_GIBIBYTE: u64 = 1024;
const MEBIBYTES_PER_TEBIBYTE: u64 = 1024 * 1024;

/// The memory of one machine, in whole mebibytes: 512 MiB to 32 TiB.
///
/// Written `32Gi`, `64GiB`, `512Mi` or `1Ti`; printed in gibibytes where that is exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Memory(NonZeroU64);

impl Memory {
    /// Checks an amount in mebibytes.
    pub fn new(mebibytes: u64) -> Result<Self, Invalid> {
        NonZeroU64::new(mebibytes)
            .filter(|amount| (512..=32 * MEBIBYTES_PER_TEBIBYTE).contains(&amount.get()))
            .map(Self)
            .ok_or_else(|| Invalid::new("this amount of memory is not possible", "512Mi to 32Ti"))
    }

    /// The amount in mebibytes.
    pub fn mebibytes(self) -> u64 {
        self.0.get()
    }
}

impl FromStr for Memory {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_binary_size(text, "\"32Gi\"").and_then(Self::new)
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mebibytes = self.mebibytes();
        if mebibytes.is_multiple_of(MEBIBYTES_PER_GIBIBYTE) {
            write!(formatter, "{}Gi", mebibytes / MEBIBYTES_PER_GIBIBYTE)
        } else {
            write!(formatter, "{mebibytes}Mi")
        }
    }
}

impl Serialize for Memory {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The size of a disk, in whole gibibytes: 20 to 16384. Written `100Gi` or `100GiB`.
///
/// At least 20 GiB, because the images of the platform do not fit less; at most 16 TiB, the limit of a gp3 volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gibibytes(NonZeroU32);

impl Gibibytes {
    /// Checks an amount in gibibytes.
    pub fn new(gibibytes: u64) -> Result<Self, Invalid> {
        u32::try_from(gibibytes)
            .ok()
            .filter(|amount| (20..=16384).contains(amount))
            .and_then(NonZeroU32::new)
            .map(Self)
            .ok_or_else(|| Invalid::new("this size of a disk is not possible", "20Gi to 16384Gi"))
    }

    /// The amount in gibibytes.
    pub fn get(self) -> u32 {
        self.0.get()
    }
}

impl FromStr for Gibibytes {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mebibytes = parse_binary_size(text, "\"100Gi\"")?;
        if !mebibytes.is_multiple_of(MEBIBYTES_PER_GIBIBYTE) {
            return Err(Invalid::new(
                format!("`{text}` is not a whole number of gibibytes"),
                "a size such as \"100Gi\"",
            ));
        }
        Self::new(mebibytes / MEBIBYTES_PER_GIBIBYTE)
    }
}

impl fmt::Display for Gibibytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}Gi", self.0)
    }
}

impl Serialize for Gibibytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reads a whole number with a binary unit, in mebibytes.
fn parse_binary_size(text: &str, example: &str) -> Result<u64, Invalid> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let accepted = || format!("a whole number and a unit, Mi, Gi or Ti, for example {example}");
    let Ok(number) = number.parse::<u64>() else {
        return Err(Invalid::new(format!("`{text}` is not a size"), accepted()));
    };
    let factor = match unit {
        "Mi" | "MiB" => 1,
        "Gi" | "GiB" => MEBIBYTES_PER_GIBIBYTE,
        "Ti" | "TiB" => MEBIBYTES_PER_TEBIBYTE,
        "" => return Err(Invalid::new(format!("`{text}` has no unit"), accepted())),
        other => {
            return Err(Invalid::new(format!("`{other}` is not a unit of size"), unit_hint(number, other, accepted())));
        }
    };
    number.checked_mul(factor).ok_or_else(|| Invalid::new(format!("`{text}` is too large"), accepted()))
}

/// What was probably meant by a decimal or misspelled unit.
fn unit_hint(number: u64, unit: &str, accepted: String) -> String {
    match unit.trim().to_ascii_lowercase().as_str() {
        "m" | "mb" | "mi" | "mib" => format!("sizes are binary: write \"{number}Mi\""),
        "g" | "gb" | "gi" | "gib" => format!("sizes are binary: write \"{number}Gi\""),
        "t" | "tb" | "ti" | "tib" => format!("sizes are binary: write \"{number}Ti\""),
        _ => accepted,
    }
}

/// A processor architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Architecture {
    /// 64-bit x86, also called amd64.
    #[serde(rename = "x86_64")]
    X86_64,
    /// 64-bit Arm, also called aarch64.
    Arm64,
}

impl Architecture {
    /// The canonical spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }
}

impl FromStr for Architecture {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "x86_64" | "x86-64" | "amd64" => Ok(Self::X86_64),
            "arm64" | "aarch64" => Ok(Self::Arm64),
            _ => Err(Invalid::new(
                format!("`{text}` is not a processor architecture"),
                "\"x86_64\" (also \"amd64\") or \"arm64\" (also \"aarch64\")",
            )),
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A Kubernetes minor version, written `1.34`. The patch version is the platform's choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KubernetesVersion {
    /// The first number.
    pub major: u16,
    /// The second number.
    pub minor: u16,
}

impl FromStr for KubernetesVersion {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = "major and minor in quotes, for example \"1.34\"";
        let numbers: Option<Vec<u16>> = text.split('.').map(parse_plain_number).collect();
        match numbers.as_deref() {
            Some([major, minor]) => Ok(Self { major: *major, minor: *minor }),
            Some([major, minor, _]) => Err(Invalid::new(
                format!("`{text}` names a patch version, which the platform chooses"),
                format!("write \"{major}.{minor}\""),
            )),
            Some(_) | None => match text.strip_prefix('v').map(Self::from_str) {
                Some(Ok(version)) => {
                    Err(Invalid::new(format!("`{text}` is not a version"), format!("write \"{version}\"")))
                }
                Some(Err(_)) | None => Err(Invalid::new(format!("`{text}` is not a version"), form)),
            },
        }
    }
}

/// Reads digits only: no sign, no leading zero.
fn parse_plain_number(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

impl fmt::Display for KubernetesVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.major, self.minor)
    }
}

impl Serialize for KubernetesVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn memory_survives_printing_and_parsing(mebibytes in 512_u64..=32 * MEBIBYTES_PER_TEBIBYTE) {
            let memory = Memory::new(mebibytes).unwrap();
            prop_assert_eq!(memory.to_string().parse::<Memory>().unwrap(), memory);
        }

        #[test]
        fn disks_survive_printing_and_parsing(gibibytes in 20_u64..=16384) {
            let disk = Gibibytes::new(gibibytes).unwrap();
            prop_assert_eq!(disk.to_string().parse::<Gibibytes>().unwrap(), disk);
        }

        #[test]
        fn versions_survive_printing_and_parsing(major: u16, minor: u16) {
            let version = KubernetesVersion { major, minor };
            prop_assert_eq!(version.to_string().parse::<KubernetesVersion>().unwrap(), version);
        }

        #[test]
        fn no_text_makes_a_parser_panic(text in "\\PC{0,12}") {
            let parsed = (
                text.parse::<Memory>().is_ok(),
                text.parse::<Gibibytes>().is_ok(),
                text.parse::<KubernetesVersion>().is_ok(),
            );
            // A disk is a size too, so a version is never either.
            prop_assert!(!(parsed.2 && (parsed.0 || parsed.1)));
        }
    }

    #[test]
    fn the_units_of_memory_mean_the_same_amount() {
        let parse = |text: &str| text.parse::<Memory>().unwrap().mebibytes();
        assert_eq!(parse("64GiB"), 65536);
        assert_eq!(parse("64Gi"), 65536);
        assert_eq!(parse("65536Mi"), 65536);
        assert_eq!(parse("512MiB"), 512);
        assert_eq!(parse("1Ti"), 1024 * 1024);
    }

    #[test]
    fn decimal_and_misspelled_units_are_told_the_binary_one() {
        for text in ["32G", "32GB", "32gi", "32 GiB", "32gb"] {
            let error = text.parse::<Memory>().unwrap_err();
            assert_eq!(error.hint.as_deref(), Some("sizes are binary: write \"32Gi\""), "{text}");
        }
    }

    #[test]
    fn sizes_without_number_or_unit_or_out_of_bounds_are_refused() {
        for text in [
            "",
            "Gi",
            "32",
            "-1Gi",
            "1.5Gi",
            "0Gi",
            "511Mi",
            "33Ti",
            "99999999999999999999Gi",
            "18446744073709551615Ti",
        ] {
            assert!(text.parse::<Memory>().is_err(), "{text}");
        }
        for text in ["19Gi", "16385Gi", "20480Mi1", "1025Mi"] {
            assert!(text.parse::<Gibibytes>().is_err(), "{text}");
        }
        assert_eq!("20480Mi".parse::<Gibibytes>().unwrap().get(), 20);
    }

    #[test]
    fn counts_have_bounds() {
        assert_eq!(ZoneCount::new(3).unwrap().get(), 3);
        assert!(ZoneCount::new(0).is_err());
        assert!(ZoneCount::new(4).is_err());
        assert!(ZoneCount::new(257).is_err());
        assert_eq!(Cpu::new(16).unwrap().get(), 16);
        assert!(Cpu::new(0).is_err());
        assert!(Cpu::new(1025).is_err());
    }

    #[test]
    fn architectures_have_aliases() {
        for text in ["x86_64", "x86-64", "amd64"] {
            assert_eq!(text.parse(), Ok(Architecture::X86_64));
        }
        for text in ["arm64", "aarch64"] {
            assert_eq!(text.parse(), Ok(Architecture::Arm64));
        }
        assert!("arm".parse::<Architecture>().is_err());
    }

    #[test]
    fn versions_are_major_and_minor_only() {
        assert_eq!("1.34".parse(), Ok(KubernetesVersion { major: 1, minor: 34 }));
        assert_eq!("1.34.2".parse::<KubernetesVersion>().unwrap_err().hint.as_deref(), Some("write \"1.34\""));
        assert_eq!("v1.34".parse::<KubernetesVersion>().unwrap_err().hint.as_deref(), Some("write \"1.34\""));
        for text in ["", "1", "1.", ".34", "1.034", "+1.34", "1.99999", "one.two", "latest"] {
            assert!(text.parse::<KubernetesVersion>().is_err(), "{text}");
        }
    }

    #[test]
    fn minor_versions_compare_as_numbers() {
        let version = |text: &str| text.parse::<KubernetesVersion>().unwrap();
        assert!(version("1.9") < version("1.34"));
    }
}
