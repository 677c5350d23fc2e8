"""How far a method trusts its teachers, utterance by utterance: weights, gate, β."""
