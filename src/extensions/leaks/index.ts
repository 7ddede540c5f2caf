export { exampleToken } from './example-token.js'
export type { Fetch } from './key-ring.js'
export { GITHUB_KEYS_URL, type LeakReportOptions, leakReports } from './leak-reports.js'
export { type ScannerRules, scannerRules } from './scanner-rules.js'
