//! Finding what was probably meant.

/// The candidate closest to `text`, when it is close enough to be a slip of the hand.
pub(crate) fn nearest<'a>(text: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let text = text.to_lowercase().replace('-', "_");
    let limit = (text.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&text, &candidate.to_lowercase().replace('-', "_")), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_hand_are_recognised() {
        let keys = ["nodes", "max", "machine", "labels", "deletion_protection"];
        assert_eq!(nearest("node", keys), Some("nodes"));
        assert_eq!(nearest("lables", keys), Some("labels"));
        assert_eq!(nearest("Deletion-Protection", keys), Some("deletion_protection"));
        assert_eq!(nearest("mx", keys), Some("max"));
    }

    #[test]
    fn unrelated_words_are_not_suggested() {
        assert_eq!(nearest("zebra", ["nodes", "max"]), None);
        assert_eq!(nearest("", ["max"]), None);
    }
}
