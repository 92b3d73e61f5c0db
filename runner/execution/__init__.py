"""Children: forked, isolated, captured, and gone when their run has ended."""
