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
            message.textContent = told.message || "";
            const done = told.done ?? told.count;
            count.textContent = done ? done.toLocaleString("en") + (told.total ? " of " + told.total.toLocaleString("en") : "") : "";
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
