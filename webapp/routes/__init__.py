"""The addresses of the application, a module a subject. Routes parse, call one workflow, and render."""
