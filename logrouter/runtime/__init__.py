"""Everything that awaits: tasks, clocks, descriptors. The rest of the package is pure."""
