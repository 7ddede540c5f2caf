/**
 * Who presents a credential: the caller's address, or a client or an actor that the host has identified. `undefined`: an unknown address. Each has its own
 * budget for wrong secrets, so that unknown callers cannot use up a client's budget.
 */
export type Presenter = string | { readonly id: string } | undefined
