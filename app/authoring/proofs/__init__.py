"""Proofs about policy versions with z3. Import it through `app.authoring.prover` only."""
