package artifact

// hasExecutableBit: Windows tells programs by their names.
const hasExecutableBit = false
