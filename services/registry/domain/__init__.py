"""Pure rules of the registry: orders and evidence in, facts out, state as a fold over facts."""
