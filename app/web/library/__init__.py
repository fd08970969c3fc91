"""The policy library's pages: reading, proofs, replays, drafts, publishing and adopting."""
