"""The same tracked sweep as a good user of each peer would write it: one script a peer."""
