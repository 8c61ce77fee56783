//! The frame loop, its state, and the store with its journal.
