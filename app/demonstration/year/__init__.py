"""A whole invented financial year: what each trust sends each payer, month by month, at flex, at
freeze and after it; and what surrounds the months. Played on the days of then, in their order.
"""
