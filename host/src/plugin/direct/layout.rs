//! Values in the memory of a guest, as the canonical ABI of the component model lays them out (CanonicalABI.md, "Loading"
//! and "Storing"): sizes and alignments in bytes, UTF-8, pointers of 32 bits.
//!
//! A guest says where its values are, so nothing about that is believed: each access is checked, and a wrong one is a trap
//! with a reason, as it would be in wasmtime.

use wasmtime::{Error, Result};

/// A type of the contract.
pub(crate) trait Value: Sized {
    const SIZE: usize;
    const ALIGN: usize;
}

/// A type that a guest hands over.
pub(crate) trait Load: Value {
    /// Reads what is there: `at` is aligned and so many bytes are there.
    fn load(from: &mut Reader<'_>, at: usize) -> Result<Self>;

    /// Reads so many, one after the other.
    fn load_all(from: &mut Reader<'_>, at: usize, count: usize) -> Result<Vec<Self>> {
        let mut all = Vec::with_capacity(count);
        for index in 0..count {
            all.push(Self::load(from, at + index * Self::SIZE)?);
        }
        Ok(all)
    }
}

/// A type that a guest is given.
pub(super) trait Put: Value {
    /// Writes it there: `at` is aligned and so many bytes are there.
    fn put(&self, to: &mut impl Writer, at: usize) -> Result<()>;
}

/// The memory of a guest, to be read, and how much it may still hand over.
pub(crate) struct Reader<'a> {
    memory: &'a [u8],
    left: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(memory: &'a [u8], most: usize) -> Self {
        Self { memory, left: most }
    }

    /// A value that is somewhere, by the guest's word.
    pub(super) fn value<T: Load>(&mut self, at: u32) -> Result<T> {
        let at = aligned(at, T::ALIGN)?;
        self.bytes(at, T::SIZE)?;
        T::load(self, at)
    }

    /// As many bytes from there.
    pub(super) fn bytes(&self, at: usize, size: usize) -> Result<&'a [u8]> {
        let bytes = at.checked_add(size).and_then(|end| self.memory.get(at..end));
        bytes.ok_or_else(out_of_bounds)
    }

    fn array<const N: usize>(&self, at: usize) -> Result<[u8; N]> {
        Ok(*self.bytes(at, N)?.first_chunk().ok_or_else(out_of_bounds)?)
    }

    /// What is at a pointer and its length. Takes their bytes from what may be handed over.
    pub(super) fn list<T: Load>(&mut self, at: u32, count: u32) -> Result<Vec<T>> {
        let (at, count) = (aligned(at, T::ALIGN)?, count as usize);
        let size = count.checked_mul(T::SIZE).ok_or_else(out_of_bounds)?;
        self.bytes(at, size)?;
        // In our memory they may need more.
        self.take(size.max(count.saturating_mul(size_of::<T>())))?;
        T::load_all(self, at, count)
    }

    /// Text at a pointer and its length.
    pub(super) fn text(&mut self, at: u32, length: u32) -> Result<&'a str> {
        let bytes = self.bytes(at as usize, length as usize)?;
        self.take(bytes.len())?;
        str::from_utf8(bytes).map_err(|error| Error::msg(format!("a string that is not UTF-8: {error}")))
    }

    fn take(&mut self, size: usize) -> Result<()> {
        match self.left.checked_sub(size) {
            Some(left) => self.left = left,
            None => return Err(Error::msg("it hands over more at once than `limits.body` and 1 MiB")),
        }
        Ok(())
    }

    fn pointer_and_length(&self, at: usize) -> Result<(u32, u32)> {
        Ok((u32::from_le_bytes(self.array(at)?), u32::from_le_bytes(self.array(at + 4)?)))
    }
}

/// The memory of a guest, to be written, and its `realloc`.
pub(super) trait Writer {
    /// Writes there.
    fn write(&mut self, at: usize, bytes: &[u8]) -> Result<()>;

    /// Has the guest make room: where.
    fn allocate(&mut self, align: usize, size: usize) -> Result<usize>;
}

/// Where a guest says that something is, if it can be there.
pub(super) fn aligned(at: u32, align: usize) -> Result<usize> {
    match (at as usize).is_multiple_of(align) {
        true => Ok(at as usize),
        false => Err(Error::msg("a pointer that is not aligned")),
    }
}

pub(super) fn out_of_bounds() -> Error {
    Error::msg("a pointer and a length that are out of bounds of memory")
}

/// The places of the fields of a record, one after the other.
pub(super) struct Fields {
    end: usize,
}

impl Fields {
    pub(super) const fn from(at: usize) -> Self {
        Self { end: at }
    }

    /// Where the next one is, which has that size and alignment.
    pub(super) const fn next(&mut self, size: usize, align: usize) -> usize {
        let at = self.end.next_multiple_of(align);
        self.end = at + size;
        at
    }

    pub(super) fn load<T: Load>(&mut self, from: &mut Reader<'_>) -> Result<T> {
        T::load(from, self.next(T::SIZE, T::ALIGN))
    }
}

/// The size of a record whose fields have these sizes and alignments.
pub(super) const fn record_size(fields: &[(usize, usize)]) -> usize {
    let mut places = Fields::from(0);
    let mut index = 0;
    while index < fields.len() {
        places.next(fields[index].0, fields[index].1);
        index += 1;
    }
    places.end.next_multiple_of(greatest_align(fields))
}

/// The greatest of the alignments.
pub(super) const fn greatest_align(parts: &[(usize, usize)]) -> usize {
    let (mut greatest, mut index) = (1, 0);
    while index < parts.len() {
        if parts[index].1 > greatest {
            greatest = parts[index].1;
        }
        index += 1;
    }
    greatest
}

/// The size of a variant whose cases have payloads of these sizes and alignments: the case, in one byte, and the greatest of
/// them.
pub(super) const fn variant_size(payloads: &[(usize, usize)]) -> usize {
    let (mut greatest, mut index) = (0, 0);
    while index < payloads.len() {
        if payloads[index].0 > greatest {
            greatest = payloads[index].0;
        }
        index += 1;
    }
    let align = greatest_align(payloads);
    (1_usize.next_multiple_of(align) + greatest).next_multiple_of(align)
}

/// Where the payload of a variant is, from its beginning.
pub(super) const fn payload<T: Value>() -> usize {
    1_usize.next_multiple_of(T::ALIGN)
}

/// A case of a variant that there is not.
pub(super) fn no_such_case(case: u8) -> Error {
    Error::msg(format!("the case {case} of a variant that has no such case"))
}

impl Reader<'_> {
    /// Which case of a variant is there.
    pub(super) fn case(&self, at: usize) -> Result<u8> {
        let [case] = self.array(at)?;
        Ok(case)
    }
}

macro_rules! number {
    ($type:ty) => {
        impl Value for $type {
            const SIZE: usize = size_of::<$type>();
            const ALIGN: usize = size_of::<$type>();
        }

        impl Load for $type {
            fn load(from: &mut Reader<'_>, at: usize) -> Result<Self> {
                Ok(Self::from_le_bytes(from.array(at)?))
            }
        }

        impl Put for $type {
            fn put(&self, to: &mut impl Writer, at: usize) -> Result<()> {
                to.write(at, &self.to_le_bytes())
            }
        }
    };
}

number!(u16);
number!(u32);
number!(u64);

impl Value for u8 {
    const SIZE: usize = 1;
    const ALIGN: usize = 1;
}

impl Load for u8 {
    fn load(from: &mut Reader<'_>, at: usize) -> Result<Self> {
        from.case(at)
    }

    fn load_all(from: &mut Reader<'_>, at: usize, count: usize) -> Result<Vec<Self>> {
        Ok(from.bytes(at, count)?.to_vec())
    }
}

impl Value for () {
    const SIZE: usize = 0;
    const ALIGN: usize = 1;
}

impl Load for () {
    fn load(_: &mut Reader<'_>, _: usize) -> Result<Self> {
        Ok(())
    }
}

impl Value for String {
    const SIZE: usize = 8;
    const ALIGN: usize = 4;
}

impl Load for String {
    fn load(from: &mut Reader<'_>, at: usize) -> Result<Self> {
        let (pointer, length) = from.pointer_and_length(at)?;
        from.text(pointer, length).map(str::to_owned)
    }
}

impl Put for String {
    fn put(&self, to: &mut impl Writer, at: usize) -> Result<()> {
        put_bytes(self.as_bytes(), to, at)
    }
}

/// Bytes that the guest makes room for, with a pointer and a length there.
pub(super) fn put_bytes(bytes: &[u8], to: &mut impl Writer, at: usize) -> Result<()> {
    let pointer = to.allocate(1, bytes.len())?;
    to.write(pointer, bytes)?;
    put_pointer(pointer, bytes.len(), to, at)
}

fn put_pointer(pointer: usize, length: usize, to: &mut impl Writer, at: usize) -> Result<()> {
    // Both are within a memory of 32 bits.
    to.write(at, &((length as u64) << 32 | pointer as u64).to_le_bytes())
}

impl<T> Value for Vec<T> {
    const SIZE: usize = 8;
    const ALIGN: usize = 4;
}

impl<T: Load> Load for Vec<T> {
    fn load(from: &mut Reader<'_>, at: usize) -> Result<Self> {
        let (pointer, count) = from.pointer_and_length(at)?;
        from.list(pointer, count)
    }
}

impl<T: Put> Put for Vec<T> {
    fn put(&self, to: &mut impl Writer, at: usize) -> Result<()> {
        let pointer = to.allocate(T::ALIGN, self.len() * T::SIZE)?;
        for (index, value) in self.iter().enumerate() {
            value.put(to, pointer + index * T::SIZE)?;
        }
        put_pointer(pointer, self.len(), to, at)
    }
}

impl<T: Value> Value for Option<T> {
    const SIZE: usize = variant_size(&[(T::SIZE, T::ALIGN)]);
    const ALIGN: usize = T::ALIGN;
}

impl<T: Load> Load for Option<T> {
    fn load(from: &mut Reader<'_>, at: usize) -> Result<Self> {
        match from.case(at)? {
            0 => Ok(None),
            1 => T::load(from, at + payload::<Self>()).map(Some),
            case => Err(no_such_case(case)),
        }
    }
}

impl<T: Put> Put for Option<T> {
    fn put(&self, to: &mut impl Writer, at: usize) -> Result<()> {
        to.write(at, &[u8::from(self.is_some())])?;
        self.as_ref().map_or(Ok(()), |value| value.put(to, at + payload::<Self>()))
    }
}

impl<T: Value, E: Value> Value for Result<T, E> {
    const SIZE: usize = variant_size(&[(T::SIZE, T::ALIGN), (E::SIZE, E::ALIGN)]);
    const ALIGN: usize = greatest_align(&[(T::SIZE, T::ALIGN), (E::SIZE, E::ALIGN)]);
}

impl<T: Load, E: Load> Load for Result<T, E> {
    fn load(from: &mut Reader<'_>, at: usize) -> Result<Self> {
        match from.case(at)? {
            0 => T::load(from, at + payload::<Self>()).map(Ok),
            1 => E::load(from, at + payload::<Self>()).map(Err),
            case => Err(no_such_case(case)),
        }
    }
}
