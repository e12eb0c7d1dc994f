"""Which files are watched, for which waiters, and in which state?"""
