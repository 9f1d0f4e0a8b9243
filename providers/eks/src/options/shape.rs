//! The shapes of identifiers of AWS.

/// An Amazon Resource Name in its parts: `arn:partition:service:region:account:resource`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arn<'a> {
    /// For example `iam`.
    pub(crate) service: &'a str,
    /// Empty for services without regions.
    pub(crate) region: &'a str,
    /// Twelve digits, or `aws` for what AWS itself owns.
    pub(crate) account: &'a str,
    /// The rest.
    pub(crate) resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Takes an ARN apart; [`None`] for what is none.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let ("arn", partition) = (parts.next()?, parts.next()?) else { return None };
        let arn =
            Self { service: parts.next()?, region: parts.next()?, account: parts.next()?, resource: parts.next()? };
        let is_account = arn.account == "aws" || is_account(arn.account);
        let is_visible = text.chars().all(|c| c.is_ascii_graphic());
        (partition.starts_with("aws") && is_account && !arn.resource.is_empty() && is_visible).then_some(arn)
    }

    /// Whether it names something of this service whose resource begins with `prefix`, in an account.
    pub(super) fn is(&self, service: &str, prefix: &str) -> bool {
        self.service == service && self.resource.strip_prefix(prefix).is_some_and(|name| !name.is_empty())
    }
}

/// Whether `text` is an account number.
fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether `text` is the identifier of an EC2 resource, for example `vpc-0123456789abcdef0`.
pub(super) fn is_ec2_id(text: &str, prefix: &str) -> bool {
    let Some(digits) = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('-')) else { return false };
    matches!(digits.len(), 8 | 17) && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_are_taken_apart() {
        let arn = Arn::parse("arn:aws:iam::123456789012:role/team/Admin").unwrap();
        assert_eq!(
            (arn.service, arn.region, arn.account, arn.resource),
            ("iam", "", "123456789012", "role/team/Admin")
        );
        assert!(arn.is("iam", "role/") && !arn.is("iam", "user/") && !arn.is("sts", "role/"));
        assert!(Arn::parse("arn:aws-us-gov:iam::aws:policy/ReadOnlyAccess").is_some());
        assert!(Arn::parse("arn:aws:kms:us-east-1:123456789012:key/1-2").unwrap().is("kms", "key/"));
    }

    #[test]
    fn what_is_no_arn_is_refused() {
        for text in [
            "",
            "Admin",
            "arn:aws:iam::123:role/x",
            "arn:aws:iam::123456789012:",
            "arn:gcp:iam::123456789012:role/x",
            "arn:aws:iam",
        ] {
            assert_eq!(Arn::parse(text), None, "{text}");
        }
        assert!(!Arn::parse("arn:aws:iam::123456789012:role/").unwrap().is("iam", "role/"));
    }

    #[test]
    fn ec2_identifiers_have_8_or_17_digits() {
        assert!(is_ec2_id("vpc-0123456789abcdef0", "vpc") && is_ec2_id("subnet-01234567", "subnet"));
        for text in
            ["vpc-", "vpc-0123456789ABCDEF0", "subnet-0123456789abcdef0", "vpc0123456789abcdef0", "vpc-012345678"]
        {
            assert!(!is_ec2_id(text, "vpc"), "{text}");
        }
    }
}
