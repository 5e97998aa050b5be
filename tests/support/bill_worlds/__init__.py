"""Bills of invented companies, whose true cost is known. Shares no code with the model or the simulator."""
