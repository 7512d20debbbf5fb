"""From raw values to ids, bins and padded arrays."""
