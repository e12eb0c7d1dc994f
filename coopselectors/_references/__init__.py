"""Who refers to a standard class or function, and how is a reference read and replaced?"""
