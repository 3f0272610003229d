/* What Entrepôt's pages do better with scripts. Without any of it everything still works. */
(() => {
    "use strict";
    document.documentElement.classList.add("ep-scripted");

    /* Filters: a choice is enough. */
    for (const form of document.querySelectorAll("form[data-auto]")) {
        form.addEventListener("change", (event) => {
            if (event.target.matches("select, input[type=checkbox], input[type=radio]")) {
                form.requestSubmit();
            }
        });
    }

    /* What cannot be undone is asked about; nothing is sent twice. */
    for (const form of document.querySelectorAll("form[method=post]")) {
        form.addEventListener("submit", (event) => {
            if (form.dataset.confirm && !window.confirm(form.dataset.confirm)) {
                event.preventDefault();
                return;
            }
            if (form.dataset.sent) {
                event.preventDefault();
                return;
            }
            form.dataset.sent = "1";
        });
    }
    window.addEventListener("pageshow", () => {
        for (const form of document.querySelectorAll("form[data-sent]")) {
            delete form.dataset.sent;
        }
    });

    /* Copying: <button data-copy="#id" data-needs-script>Copy</button> */
    for (const button of document.querySelectorAll("button[data-copy]")) {
        button.addEventListener("click", async () => {
            const target = document.querySelector(button.dataset.copy);
            const before = button.textContent;
            try {
                await navigator.clipboard.writeText(target.textContent);
                button.textContent = "Copied";
            } catch {
                const range = document.createRange();
                range.selectNodeContents(target);
                window.getSelection().removeAllRanges();
                window.getSelection().addRange(range);
                button.textContent = "Selected: press Ctrl-C";
            }
            window.setTimeout(() => { button.textContent = before; }, 2500);
        });
    }

    const size = (bytes) => {
        const power = bytes < 1000 ? 0 : Math.min(4, Math.floor(Math.log10(bytes) / 3));
        return (bytes / 1000 ** power).toFixed(power ? 1 : 0) + " " + ["B", "kB", "MB", "GB", "TB"][power];
    };

    /* What changes while a task runs: what the server says of it now, asked for when an event says that it changed. */
    const live = [...document.querySelectorAll("[data-live]")];
    const PAUSE = 500;
    let asking = false, again = false;
    const refresh = async () => {
        again = asking;
        if (!live.length || asking) {
            return;
        }
        asking = true;
        try {
            const answer = await fetch(window.location.href);
            if (answer.redirected) {
                window.location.replace(answer.url);
                return;
            }
            const page = new DOMParser().parseFromString(await answer.text(), "text/html");
            page.querySelectorAll("[data-live]").forEach((now, at) => {
                /* Who stands on a link in there stays where they are: the next event comes soon. */
                if (live[at] && now.innerHTML !== live[at].innerHTML && !live[at].contains(document.activeElement)) {
                    live[at].replaceChildren(...now.childNodes);
                }
            });
        } catch {
            /* The server is away for a moment; the page is whole again when the task has ended. */
        }
        window.setTimeout(() => {
            asking = false;
            if (again) {
                refresh();
            }
        }, PAUSE);
    };

    /* Progress: events of a task until it has ended; then the page says how. */
    for (const place of document.querySelectorAll("[data-events]")) {
        const bar = place.querySelector("progress");
        const message = place.querySelector("[data-message]");
        const count = place.querySelector("[data-count]");
        const source = new EventSource(place.dataset.events);
        const running = new Set(["running", "syncing"]);
        source.onmessage = (event) => {
            const told = JSON.parse(event.data);
            if (!running.has(told.status)) {
                source.close();
                if (place.dataset.then) {
                    window.location.replace(place.dataset.then);
                } else {
                    window.location.reload();
                }
                return;
            }
            refresh();
            if (told.import_id) {
                return;
            }
            message.textContent = told.message || "";
            const done = told.done ?? told.count;
            const amount = told.unit === "bytes" ? size : (number) => number.toLocaleString("en");
            count.textContent = done ? amount(done) + (told.total ? " of " + amount(told.total) : "") : "";
            if (told.total) {
                bar.max = told.total;
                bar.value = told.done;
            } else {
                bar.removeAttribute("value");
            }
        };
        source.onerror = () => {
            /* The browser connects again by itself; a server that is gone for good is told once. */
            if (source.readyState === EventSource.CLOSED) {
                window.location.reload();
            }
        };
    }
})();
