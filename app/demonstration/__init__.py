"""The demonstration: invented people, hospitals and invoices, the same for the same seed and day.

Two sides are invented apart from each other, as they are in life. `clinic` says what happened to
each patient; `habits` says how well the hospital does its paperwork. From both, `stories` sends
forms through the service's own use cases, on the days on which they would have been sent. From
what happened alone, `invoice` charges every supply and `dirt` spoils the lines as real ones are
spoilt. Nothing here looks up an approval in order to make a line that matches it.

No person, price, reference or organisation here is real; NHS numbers are of the range 999, which
is never issued.
"""
