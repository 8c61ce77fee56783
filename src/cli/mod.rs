//! Arguments, and one file per command. No algorithm lives here.
