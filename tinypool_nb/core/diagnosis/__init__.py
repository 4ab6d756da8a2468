"""Explanation: from what was recorded of a module to what is the matter with it, why, and what to do. Pure.

`case` is the evidence, `findings` and `causes` what is made of it; `connecting`, `losing`, `calling`, `condition` and `surroundings` each
know one kind of evidence, and `diagnose` asks them all. Behind `connecting` stand `runs` of failed attempts, `reasons`, and `proxied`, for
those that go through a proxy; behind `losing` the `losses`, and the `patterns` that several make.
"""
