"""One training step as a lesson: computed by the training loop's own parts, told in three ways."""
