// Types of assets.js, which `npm run page` builds from the folder page/. The file is not in git.

/** The page's script. */
export const script: string

/** The page's style. */
export const style: string
