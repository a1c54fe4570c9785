package kernel

func availableLevels() []level { return []level{levelGeneric} }
