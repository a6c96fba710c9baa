// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * full.c - the forecast of a quota that several listeners may share.
 */
#include "userspace/view/full.h"

#include "userspace/pressure/pressure.h"

double dg_full_in(const struct dg_full *full)
{
	double levels[DG_FORECAST_SECONDS] = { 0 };

	for (__u32 i = 0; full->quota && i < full->view->dump.listeners; i++) {
		const struct dg_tcp_row *row =
			dg_tcp_row_of(&full->view->books, &full->view->dump.listener[i].key);

		if (row && full->shares(full->arg, i))
			dg_tcp_series_add(row, full->now_ns, levels, DG_FORECAST_SECONDS);
	}
	return full->quota ? dg_forecast(levels, DG_FORECAST_SECONDS, (double)full->quota) : -1;
}
