//! What an agent's time was: stated states and the legs of interactions, folded into intervals without gap or overlap.
