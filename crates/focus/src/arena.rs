//! A table whose ids never come to mean something else: each slot counts the generations of what has lived in it.

use crate::ids::Handle;

/// Values by [`Handle`]. Slots are reused, the last freed first; iteration is by slot.
pub(crate) struct Arena<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    len: usize,
}

struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), len: 0 }
    }
}

impl<T> Arena<T> {
    /// Puts into a free slot what `make` makes of its handle.
    pub(crate) fn insert_with(&mut self, make: impl FnOnce(Handle) -> T) -> Handle {
        self.len += 1;
        if let Some(slot) = self.free.pop() {
            let entry = &mut self.slots[slot as usize];
            let handle = Handle { slot, generation: entry.generation };
            entry.value = Some(make(handle));
            return handle;
        }
        let handle = Handle { slot: self.slots.len() as u32, generation: 0 };
        self.slots.push(Slot { generation: 0, value: Some(make(handle)) });
        handle
    }

    pub(crate) fn get(&self, handle: Handle) -> Option<&T> {
        let entry = self.slots.get(handle.slot as usize)?;
        if entry.generation == handle.generation { entry.value.as_ref() } else { None }
    }

    pub(crate) fn get_mut(&mut self, handle: Handle) -> Option<&mut T> {
        let entry = self.slots.get_mut(handle.slot as usize)?;
        if entry.generation == handle.generation { entry.value.as_mut() } else { None }
    }

    pub(crate) fn remove(&mut self, handle: Handle) -> Option<T> {
        let entry = self.slots.get_mut(handle.slot as usize)?;
        if entry.generation != handle.generation {
            return None;
        }
        let value = entry.value.take()?;
        entry.generation = entry.generation.wrapping_add(1);
        self.free.push(handle.slot);
        self.len -= 1;
        Some(value)
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_of_something_gone_finds_nothing() {
        let mut arena = Arena::default();
        let old = arena.insert_with(|_| 'a');
        assert_eq!(arena.remove(old), Some('a'));
        let new = arena.insert_with(|_| 'b');
        assert_eq!((old.slot, arena.get(old), arena.get(new)), (new.slot, None, Some(&'b')));
        assert_eq!(arena.remove(old), None);
        assert_eq!(arena.get_mut(new), Some(&mut 'b'));
        assert_eq!(arena.len(), 1);
    }
}
