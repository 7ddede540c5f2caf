export type { WebhookEndpoint, WebhookOptions } from './options.js'
export { type DeadLetter, type DeadLetterInput, type Resent, type Webhooks, webhooks } from './webhooks.js'
