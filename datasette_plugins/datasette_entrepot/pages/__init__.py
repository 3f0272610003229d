"""The HTML pages under ``/-/entrepot``, in Datasette's own look.

A module of pages declares its routes as the API does, and answers ``Page`` or ``Redirect``::

    pages = Pages()

    @pages.get("/sources/{source}", "source.read")
    async def show(call: PageCall) -> Page:
        view = await call.run(sources.show_source, call.parameters["source"])
        return Page("source.html", view.source.name, {"view": view}, crumbs=[("Sources", "/sources")])

    @pages.post("/sources/{source}/remove", "source.change", shown_on=show)
    async def remove(call: PageCall) -> Redirect:
        await call.run(sources.remove_source, call.parameters["source"])
        return Redirect("/sources", "The source is removed")

Paths are those below ``/-/entrepot``. The action is asked of the same gate as that of the API; who is nobody yet is
sent to the page to sign in. An ``EntrepotError`` of a POST shows the page ``shown_on`` again, with message and hint and
what was typed (``call.form``); one of a GET is a page of its own. Work that takes long is a task: ``work.begin``.
"""
