"""Why a reminder cannot be asked for, or did not go out. No message names an address."""


class RemindersError(Exception):
    """A refusal of this room."""


class AddressNotAccepted(RemindersError):
    """The address cannot be written to; the message says why and what to enter."""


class MailNotTaken(RemindersError):
    """The mail server did not take a message, and may take it later."""


class AddressRefused(RemindersError):
    """The mail server takes nothing for this address."""
