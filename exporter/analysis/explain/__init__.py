"""Why a cost changed: the change between two periods, split exactly, and said in sentences."""
