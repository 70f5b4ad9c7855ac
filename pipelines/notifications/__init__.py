"""Who hears of what: subjects and subscriptions become notifications, kept in an outbox until their channels took them."""
