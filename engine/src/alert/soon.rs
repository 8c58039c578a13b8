//! Arriving soon: said once for each stop, when it is the next and minutes away.

/// One stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Soon {
    /// It has been said.
    pub told: bool,
}

impl Soon {
    /// Told whether the median arrival at the next stop is no more than the policy's `soon_s` away.
    pub fn look(&mut self, near: bool) -> bool {
        let tell = !self.told && near;
        self.told |= tell;
        tell
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_once() {
        let mut soon = Soon::default();
        let said = [false, true, false, true].map(|near| soon.look(near));
        assert_eq!(said, [false, true, false, false]);
    }
}
