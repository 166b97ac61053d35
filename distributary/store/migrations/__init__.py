"""The schema, one file per step; a step that was released is never edited."""
