//! Groups inside one process: who owns which partition, and how ownership changes hands.
//!
//! The rules are Kafka's cooperative ones. A partition that moves is first taken from its owner,
//! who may still commit what it has stepped, and given to the next only afterwards; all others
//! keep theirs. A member whose owner joins again is replaced at once: it has lost everything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{LogError, Topic};

/// Locks, also after a panic elsewhere: every change below leaves the state whole.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A group as its members and its log hold it.
pub type SharedGroup = Arc<Mutex<Group>>;

/// All groups of a log.
#[derive(Debug, Default)]
pub struct Groups {
    groups: Mutex<BTreeMap<(String, Topic), SharedGroup>>,
}

impl Groups {
    /// The group of this name on this topic, made when it is new.
    pub fn group(&self, name: &str, topic: Topic, partitions: u32) -> SharedGroup {
        let mut groups = lock(&self.groups);
        let group = groups
            .entry((name.to_owned(), topic))
            .or_insert_with(|| Arc::new(Mutex::new(Group::new(partitions))));
        Arc::clone(group)
    }
}

/// What a member is to be told next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// These are yours from now on.
    Assigned(Vec<u32>),
    /// These go with the next call, or (`lost`) have gone already.
    Revoked {
        /// Which, ascending.
        partitions: Vec<u32>,
        /// Whether they have gone already.
        lost: bool,
    },
}

/// One group on one topic.
#[derive(Debug)]
pub struct Group {
    /// By partition: who holds it now.
    owners: Vec<Option<u64>>,
    /// By partition: who shall hold it.
    targets: Vec<Option<u64>>,
    seats: BTreeMap<u64, Seat>,
    next: u64,
    moves: u64,
}

#[derive(Debug, Default)]
struct Seat {
    owner: String,
    /// Out of the group; stays here until it has been told.
    gone: Option<Gone>,
    /// A commit is under way: what it holds must not go to somebody else before its end.
    committing: bool,
    /// Ours, but not yet told.
    fresh: BTreeSet<u32>,
    /// Ours and told.
    held: BTreeSet<u32>,
    /// Told that they go; still ours until the next call.
    leaving: BTreeSet<u32>,
    /// Taken away without a question; to be told.
    lost: BTreeSet<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gone {
    /// The same owner has joined again, or this member has left: it never comes back.
    Ended,
    /// Silent for too long; its next call joins again.
    Expired,
}

impl Group {
    fn new(partitions: u32) -> Self {
        let none = vec![None; partitions as usize];
        Self { owners: none.clone(), targets: none, seats: BTreeMap::new(), next: 1, moves: 0 }
    }

    /// Takes a seat; a live member of the same owner loses everything to it.
    pub fn join(&mut self, owner: &str) -> u64 {
        let number = self.next;
        self.next += 1;
        self.seats.insert(number, Seat { owner: owner.to_owned(), ..Seat::default() });
        let before = self.live(owner, number);
        if let Some(before) = before {
            for target in &mut self.targets {
                if *target == Some(before) {
                    *target = Some(number);
                }
            }
            self.remove(before, Gone::Ended);
        }
        self.rebalance();
        number
    }

    /// Gives everything back at once.
    pub fn leave(&mut self, member: u64) {
        self.remove(member, Gone::Ended);
        self.rebalance();
    }

    /// Treats the live member of this owner as silent for too long. `false`: there is none.
    pub fn expire(&mut self, owner: &str) -> bool {
        let Some(member) = self.live(owner, 0) else { return false };
        self.remove(member, Gone::Expired);
        self.rebalance();
        true
    }

    /// The next change this member must hear of; hands over what it was told goes.
    pub fn next_change(&mut self, member: u64) -> Result<Option<Change>, LogError> {
        let seat = self.seats.get_mut(&member).ok_or_else(ended)?;
        let released = std::mem::take(&mut seat.leaving);
        if !released.is_empty() {
            for partition in released {
                seat.held.remove(&partition);
                self.owners[partition as usize] = None;
            }
            self.settle();
        }
        let seat = self.seats.get_mut(&member).ok_or_else(ended)?;
        if !seat.lost.is_empty() {
            let partitions = std::mem::take(&mut seat.lost).into_iter().collect();
            return Ok(Some(Change::Revoked { partitions, lost: true }));
        }
        match seat.gone {
            Some(Gone::Ended) => return Err(ended()),
            Some(Gone::Expired) => {
                seat.gone = None;
                self.rebalance();
            }
            None => {}
        }
        Ok(self.told(member))
    }

    fn told(&mut self, member: u64) -> Option<Change> {
        let seat = self.seats.get_mut(&member)?;
        let going: BTreeSet<u32> = seat
            .held
            .iter()
            .copied()
            .filter(|p| self.targets[*p as usize] != Some(member))
            .collect();
        if !going.is_empty() {
            seat.leaving.clone_from(&going);
            let partitions = going.into_iter().collect();
            return Some(Change::Revoked { partitions, lost: false });
        }
        if seat.fresh.is_empty() {
            return None;
        }
        let fresh = std::mem::take(&mut seat.fresh);
        seat.held.extend(&fresh);
        Some(Change::Assigned(fresh.into_iter().collect()))
    }

    /// Begins a commit of offsets of these partitions; none of them changes hands until
    /// [`Group::end_commit`].
    pub fn begin_commit(
        &mut self,
        member: u64,
        mut partitions: impl Iterator<Item = u32>,
    ) -> Result<(), LogError> {
        let seat = self.seats.get_mut(&member).ok_or_else(ended)?;
        if seat.gone.is_some() {
            return Err(LogError::Fenced(format!("`{}` is out of the group", seat.owner)));
        }
        if let Some(foreign) = partitions.find(|p| !seat.held.contains(p)) {
            let owner = &seat.owner;
            return Err(LogError::Fenced(format!("partition `{foreign}` is not `{owner}`'s")));
        }
        seat.committing = true;
        Ok(())
    }

    /// The commit is durable, or has failed.
    pub fn end_commit(&mut self, member: u64) {
        if let Some(seat) = self.seats.get_mut(&member) {
            seat.committing = false;
            if seat.gone.is_some() {
                self.free(member);
                self.settle();
            }
        }
    }

    /// Partitions this member has been told it owns, ascending.
    pub fn held(&self, member: u64) -> Result<Vec<u32>, LogError> {
        let seat = self.seats.get(&member).filter(|s| s.gone.is_none()).ok_or_else(ended)?;
        Ok(seat.held.iter().copied().collect())
    }

    /// Takes a [`Change::Assigned`] back: the member could not take it up and is told again.
    pub fn tell_again(&mut self, member: u64, partitions: &[u32]) {
        if let Some(seat) = self.seats.get_mut(&member) {
            for partition in partitions {
                if seat.held.remove(partition) {
                    seat.fresh.insert(*partition);
                }
            }
        }
    }

    /// How often partitions have changed hands or may have: whoever waits must look again.
    pub fn moves(&self) -> u64 {
        self.moves
    }

    /// Forgets a member that will not call again.
    pub fn forget(&mut self, member: u64) {
        self.leave(member);
        self.seats.remove(&member);
    }

    fn live(&self, owner: &str, except: u64) -> Option<u64> {
        let live = |(n, s): &(&u64, &Seat)| s.gone.is_none() && s.owner == owner && **n != except;
        self.seats.iter().find(live).map(|(number, _)| *number)
    }

    fn remove(&mut self, member: u64, gone: Gone) {
        let Some(seat) = self.seats.get_mut(&member) else { return };
        if seat.gone.is_none() {
            seat.lost = std::mem::take(&mut seat.held);
            seat.leaving.clear();
        }
        seat.gone = Some(gone);
        if !seat.committing {
            self.free(member);
        }
    }

    fn free(&mut self, member: u64) {
        if let Some(seat) = self.seats.get_mut(&member) {
            seat.fresh.clear();
        }
        for owner in &mut self.owners {
            if *owner == Some(member) {
                *owner = None;
            }
        }
    }

    /// Aims at equal shares (they differ by one at most) while moving as little as possible.
    fn rebalance(&mut self) {
        let mut shares: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for (number, seat) in &self.seats {
            if seat.gone.is_none() {
                shares.insert(*number, Vec::new());
            }
        }
        for (partition, target) in self.targets.iter_mut().enumerate() {
            match target.and_then(|m| shares.get_mut(&m)) {
                Some(share) => share.push(partition),
                None => *target = None,
            }
        }
        if shares.is_empty() {
            self.moves += 1;
            return;
        }
        let (least, extra) = (self.targets.len() / shares.len(), self.targets.len() % shares.len());
        let mut order: Vec<u64> = shares.keys().copied().collect();
        order.sort_by_key(|m| (usize::MAX - shares[m].len(), self.seats[m].owner.clone()));
        let mut free: BTreeSet<usize> =
            (0..self.targets.len()).filter(|p| self.targets[*p].is_none()).collect();
        let quota = |rank: usize| least + usize::from(rank < extra);
        for (rank, member) in order.iter().enumerate() {
            free.extend(shares[member].iter().skip(quota(rank)));
        }
        for (rank, member) in order.iter().enumerate() {
            for _ in shares[member].len()..quota(rank) {
                if let Some(partition) = free.pop_first() {
                    self.targets[partition] = Some(*member);
                }
            }
        }
        self.settle();
    }

    /// Takes back what was not yet told and gives free partitions to whom they belong.
    fn settle(&mut self) {
        self.moves += 1;
        for (partition, owner) in self.owners.iter_mut().enumerate() {
            let target = self.targets[partition];
            let number = partition as u32;
            if let Some(holder) = owner.filter(|o| Some(*o) != target)
                && let Some(seat) = self.seats.get_mut(&holder)
                && seat.fresh.remove(&number)
            {
                *owner = None;
            }
            if owner.is_none()
                && let Some(seat) = target.and_then(|t| self.seats.get_mut(&t))
            {
                seat.fresh.insert(number);
                *owner = target;
            }
        }
    }
}

fn ended() -> LogError {
    LogError::Fenced("this member has left or was replaced".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(group: &mut Group, member: u64) -> String {
        match group.next_change(member) {
            Ok(Some(Change::Assigned(p))) => format!("assigned {p:?}"),
            Ok(Some(Change::Revoked { partitions, lost: false })) => {
                format!("gives {partitions:?}")
            }
            Ok(Some(Change::Revoked { partitions, .. })) => format!("lost {partitions:?}"),
            Ok(None) => "nothing".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn partitions_move_only_after_their_owner_let_go() {
        let mut group = Group::new(4);
        let a = group.join("a");
        assert_eq!(told(&mut group, a), "assigned [0, 1, 2, 3]");
        let b = group.join("b");
        assert_eq!(told(&mut group, b), "nothing");
        assert_eq!(told(&mut group, a), "gives [2, 3]");
        assert!(group.begin_commit(a, [2, 3].into_iter()).is_ok());
        group.end_commit(a);
        assert_eq!(told(&mut group, b), "nothing");
        assert_eq!(told(&mut group, a), "nothing");
        assert_eq!(told(&mut group, b), "assigned [2, 3]");
        assert!(matches!(group.begin_commit(a, [2].into_iter()), Err(LogError::Fenced(_))));
        group.leave(a);
        assert_eq!(told(&mut group, b), "assigned [0, 1]");
    }

    #[test]
    fn a_rejoining_owner_replaces_its_former_self() {
        let mut group = Group::new(3);
        let (a, b) = (group.join("a"), group.join("b"));
        assert_eq!(told(&mut group, a), "assigned [0, 1]");
        assert_eq!(told(&mut group, b), "assigned [2]");
        let again = group.join("a");
        assert_eq!(told(&mut group, again), "assigned [0, 1]");
        assert_eq!(told(&mut group, b), "nothing");
        assert!(matches!(group.begin_commit(a, [0].into_iter()), Err(LogError::Fenced(_))));
        assert_eq!(told(&mut group, a), "lost [0, 1]");
        assert!(told(&mut group, a).contains("replaced"));
    }

    #[test]
    fn a_commit_under_way_holds_its_partitions() {
        let mut group = Group::new(2);
        let a = group.join("a");
        assert_eq!(told(&mut group, a), "assigned [0, 1]");
        assert!(group.begin_commit(a, [0].into_iter()).is_ok());
        let again = group.join("a");
        assert_eq!(told(&mut group, again), "nothing");
        group.end_commit(a);
        assert_eq!(told(&mut group, again), "assigned [0, 1]");
    }

    #[test]
    fn a_silent_member_loses_all_and_may_come_back() {
        let mut group = Group::new(2);
        let (a, b) = (group.join("a"), group.join("b"));
        assert_eq!(told(&mut group, a), "assigned [0]");
        assert!(group.expire("a"));
        assert_eq!(told(&mut group, b), "assigned [0, 1]");
        assert_eq!(told(&mut group, a), "lost [0]");
        assert_eq!(told(&mut group, a), "nothing");
        assert_eq!(told(&mut group, b), "gives [1]");
        assert_eq!(told(&mut group, b), "nothing");
        assert_eq!(told(&mut group, a), "assigned [1]");
    }

    #[test]
    fn shares_stay_even_and_moves_stay_few() {
        let mut group = Group::new(16);
        let members: Vec<u64> = ["a", "b", "c", "d"].iter().map(|o| group.join(o)).collect();
        let share = |g: &Group, m: u64| g.targets.iter().filter(|t| **t == Some(m)).count();
        assert!(members.iter().all(|m| share(&group, *m) == 4));
        let before = group.targets.clone();
        group.leave(members[1]);
        assert!([0, 2, 3].iter().all(|i| (5..=6).contains(&share(&group, members[*i]))));
        let moved = (0..16).filter(|p| before[*p] != group.targets[*p]).count();
        assert_eq!(moved, 4);
    }
}
