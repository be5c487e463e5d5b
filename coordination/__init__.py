"""Who may poll, and who yields.

Belongs here: the words (errors, settings, identity, conflict, events, ...), the decision (`decide`, pure), a
bot's guard and its calls, a process's instance and its thread, and the stores. Does not belong here: bot
frameworks, HTTP, metrics. It imports the standard library, and in each store's own file that store's client.
"""
