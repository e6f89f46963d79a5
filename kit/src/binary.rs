//! The outermost form of a module or component: a header, then sections, each with its number and length.

use std::ops::Range;

/// The length of what is before the sections.
pub(crate) const HEADER: usize = 8;

/// Where a section is in the bytes.
pub(crate) struct Section {
    pub(crate) id: u8,
    /// With its number and length.
    pub(crate) whole: Range<usize>,
    pub(crate) content: Range<usize>,
}

/// All sections in their order; None when the bytes end within one.
pub(crate) fn sections(bytes: &[u8]) -> Option<Vec<Section>> {
    let mut sections = Vec::new();
    let mut rest = bytes.get(HEADER..)?;
    while let Some((&id, after)) = rest.split_first() {
        let start = bytes.len() - rest.len();
        let (length, after) = number(after)?;
        rest = after.get(length..)?;
        let end = bytes.len() - rest.len();
        sections.push(Section { id, whole: start..end, content: end - length..end });
    }
    Some(sections)
}

/// An unsigned number in LEB128, and what comes after it.
fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let last = bytes.iter().take(5).position(|byte| byte & 0x80 == 0)?;
    let (digits, rest) = bytes.split_at(last + 1);
    let number =
        digits.iter().rev().try_fold(0_u32, |sum, digit| Some(sum.checked_mul(128)? | u32::from(digit & 0x7f)))?;
    Some((number.try_into().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_ends_with_its_last_digit_and_is_no_longer_than_32_bits() {
        assert_eq!(number(&[0xe5, 0x8e, 0x26, 1]), Some((624_485, &[1][..])));
        assert_eq!(number(&[0xff; 9]), None);
    }
}
