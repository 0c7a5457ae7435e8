"""Lessons: the tasks of workers, each about one individual."""
