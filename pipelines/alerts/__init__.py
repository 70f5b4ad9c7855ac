"""From signals to what people read: incidents, their evidence, and where they are published."""
