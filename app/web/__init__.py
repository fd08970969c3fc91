"""The pages' door: plain, server-rendered HTML. Today: sign-in, the home page and drafts."""
