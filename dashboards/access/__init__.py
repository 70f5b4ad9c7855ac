"""Who may see and do what: logins, roles, and the teams whose workflows a viewer sees.

Stands around the app: a request becomes a `viewer.Viewer` in `gate`, and the viewer gets the reader of what it may see in
`readers`. Pages know neither.
"""
