//! The CPU operations that decide speed. Nobody else knows how they work.
